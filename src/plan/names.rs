//! Names of the objects of one stack, each decided here and nowhere else.
