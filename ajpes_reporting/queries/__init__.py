"""What a person or a program is told, as plain typed values: each face only renders them."""
