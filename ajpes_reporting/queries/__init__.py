"""Answers to what a person or a program asks, as plain typed values: each face only renders them."""
