"""ksmg-filter: the service between Postfix and the engines."""
