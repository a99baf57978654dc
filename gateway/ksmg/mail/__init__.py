"""A message on its way through the filter: envelope, spooled file, header fields, attachment names."""
