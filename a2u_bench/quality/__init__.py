"""What the operators are worth: networks that hold an operator in the loop are trained, and their outputs scored."""
