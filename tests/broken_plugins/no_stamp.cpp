// An entry symbol, but no build stamp: not exported with BLIP3U_PLUGIN.
extern "C" __attribute__((visibility("default"))) const void* blip3u_plugin() { return nullptr; }
