// A shared library that has nothing to do with plugins.
extern "C" __attribute__((visibility("default"))) int unrelated() { return 1; }
