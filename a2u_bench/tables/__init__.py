"""Tables: a frame becomes headings, cells and notes, and stands on a terminal."""
