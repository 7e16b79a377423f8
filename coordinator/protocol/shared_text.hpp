// A text that many hold and nobody changes: records are copied often, and most of their texts are
// empty.
#pragma once

#include <atomic>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace twophase::coordinator {

/// A pointer wide, whatever it holds; nothing more where it is empty. A copy shares the bytes: it
/// takes no memory and can't fail. Reads as a std::string_view; assigning another text is the only
/// change. Up to 4 GiB. Copies may go to any thread.
class SharedText {
public:
    SharedText() = default;
    // From every kind of text, as std::string is.
    SharedText(std::string_view text);
    SharedText(const std::string& text) : SharedText(std::string_view(text)) {}
    SharedText(const char* text) : SharedText(std::string_view(text)) {}

    SharedText(const SharedText& other) noexcept : held_(other.held_) {
        if (held_ != nullptr) held_->owners.fetch_add(1, std::memory_order_relaxed);
    }
    SharedText(SharedText&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
    SharedText& operator=(SharedText other) noexcept {
        std::swap(held_, other.held_);
        return *this;
    }
    ~SharedText() {
        if (held_ != nullptr) release();
    }

    /// Valid while a text that shares these bytes lives.
    operator std::string_view() const noexcept {
        if (held_ == nullptr) return {};
        return {reinterpret_cast<const char*>(held_ + 1), held_->size};
    }
    bool empty() const noexcept { return held_ == nullptr; }
    std::size_t size() const noexcept { return held_ == nullptr ? 0 : held_->size; }
    void clear() noexcept { *this = SharedText(); }

    template <std::convertible_to<std::string_view> Other>
    friend bool operator==(const SharedText& a, const Other& b) {
        return std::string_view(a) == std::string_view(b);
    }
    template <std::convertible_to<std::string_view> Other>
    friend std::strong_ordering operator<=>(const SharedText& a, const Other& b) {
        return std::string_view(a) <=> std::string_view(b);
    }
    friend std::string operator+(std::string a, const SharedText& b) {
        a += std::string_view(b);
        return a;
    }
    friend std::string operator+(const SharedText& a, std::string_view b) {
        return std::string(a).append(b);
    }

private:
    // The bytes follow it.
    struct Held {
        std::atomic<std::uint32_t> owners;
        std::uint32_t size;
    };

    void release() noexcept;

    Held* held_ = nullptr;
};

}  // namespace twophase::coordinator

template <>
struct std::hash<twophase::coordinator::SharedText> {
    std::size_t operator()(std::string_view text) const noexcept {
        return std::hash<std::string_view>{}(text);
    }
};
