"""The commands of the command line: a thin module each, beside what they share."""
