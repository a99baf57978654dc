"""The rights of a person (GDPR articles 15, 17, 20): finds, exports and erases what is kept about somebody.

A `Holder` stands for one place of the data policy. It finds the person in it, as a stream, and erases what may be.
"""
