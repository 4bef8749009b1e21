//! Dealing, sorting, optimizing, cleaning, deleting and writing beside a recovery, between any two of its calls.
