// Answers that read much, made beside the loop: lists, exports, audits.
#pragma once

#include "http/message.hpp"
#include "recovery/surroundings.hpp"

#include <functional>
#include <memory>

namespace twophase::recovery {

/// Lists and bulk pages take turns, so that a list doesn't wait behind every export that was asked
/// for before it.
enum class PageSize { list, bulk };

/// One thread of the lowest priority makes one page at a time, so that whoever lists leaves the
/// processor to payments. Between two pages it rests for as long as the last one took, at most a
/// tenth of a second. Belongs to the loop.
class PageThread {
public:
    /// `around` outlives it. The thread starts with the first page.
    explicit PageThread(Surroundings& around);
    /// Without a thread, where nobody else is served: pages are made at once.
    PageThread();
    ~PageThread();
    PageThread(const PageThread&) = delete;
    PageThread& operator=(const PageThread&) = delete;

    /// Runs `make` on the thread, which must read snapshots alone, then answers on the loop. 503
    /// with Retry-After when too many pages wait, or after stop(); 500 when `make` throws.
    void answer(std::function<http::Response()> make,
                http::Respond respond,
                PageSize size = PageSize::list);
    /// Waits for the page that is being made; those that wait get 503. Before what they read goes.
    void stop();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace twophase::recovery
