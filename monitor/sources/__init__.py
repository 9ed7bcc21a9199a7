"""Where bytes come from. A source yields chunks of whole records with a position; nothing behind it knows its kind."""
