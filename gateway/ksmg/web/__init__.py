"""ksmg-web: the web application behind nginx. For now `/health` and a locked page; the management pages come later."""
