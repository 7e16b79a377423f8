#include "coordinator/protocol/shared_text.hpp"

#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>

namespace twophase::coordinator {

SharedText::SharedText(std::string_view text) {
    if (text.empty()) return;
    if (!std::in_range<std::uint32_t>(text.size())) throw std::length_error("a text above 4 GiB");
    void* room = ::operator new(sizeof(Held) + text.size());
    held_ = ::new (room) Held{1, static_cast<std::uint32_t>(text.size())};
    std::memcpy(static_cast<void*>(held_ + 1), text.data(), text.size());
}

void SharedText::release() noexcept {
    // Whoever lets go last sees what the others did before.
    if (held_->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    std::destroy_at(held_);
    ::operator delete(held_);
}

}  // namespace twophase::coordinator
