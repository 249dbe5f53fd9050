"""What LaTeX is made of: text, the cells of a column, how wide a table is, and BibTeX."""
