#include "recipe/catalog.h"

namespace blip3u {

Catalog::~Catalog() = default;

}  // namespace blip3u
