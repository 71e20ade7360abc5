// The factories of the library's tasks.
#pragma once

#include <memory>

#include "blip3u/plugin.h"

namespace blip3u::eval {

std::unique_ptr<Component> create_vqa(const Parameters&, const BuildContext&);
std::unique_ptr<Component> create_captioning(const Parameters&, const BuildContext&);
std::unique_ptr<Component> create_classification(const Parameters&, const BuildContext&);
std::unique_ptr<Component> create_reconstruction(const Parameters&, const BuildContext&);
std::unique_ptr<Component> create_generation(const Parameters&, const BuildContext&);

}  // namespace blip3u::eval
