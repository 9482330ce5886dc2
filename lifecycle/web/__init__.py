"""Pages for people: texts, their history, and the place to answer to a version."""
