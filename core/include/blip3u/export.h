// Symbol visibility. Everything is compiled with hidden visibility; what crosses a library boundary says so.
#pragma once

#define BLIP3U_API __attribute__((visibility("default")))
