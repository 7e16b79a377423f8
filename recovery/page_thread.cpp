#include "recovery/page_thread.hpp"

#include "http/problem.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <iterator>
#include <mutex>
#include <optional>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace twophase::recovery {
namespace {

constexpr std::size_t most_waiting = 256;  // of each size
constexpr std::chrono::milliseconds longest_rest{100};
constexpr int lowest_priority = 19;  // of setpriority(2), which Linux keeps for each thread

http::Response busy(std::string_view code, std::string_view detail) {
    http::Response response = http::problem(503, code, detail);
    response.headers.push_back({"Retry-After", "1"});
    return response;
}

}  // namespace

struct PageThread::State {
    struct Page {
        std::function<http::Response()> make;
        http::Respond respond;
    };

    explicit State(Surroundings* the_surroundings) : around(the_surroundings) {}

    void add(Page page, PageSize size) {
        if (around == nullptr) return page.respond(made(page.make));
        {
            const std::lock_guard lock(mutex);
            std::deque<Page>& line = waiting[static_cast<std::size_t>(size)];
            if (!is_stopped && line.size() < most_waiting) {
                line.push_back(std::move(page));
                page.respond = nullptr;
            }
        }
        if (page.respond)
            return page.respond(busy("overloaded", "too many lists and exports wait; try again"));
        if (!thread.joinable()) thread = std::thread([this] { run(); });
        changed.notify_one();
    }

    void run() {
        if (::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), lowest_priority) != 0)
            spdlog::warn("lists are made at the usual priority: it can't be lowered");
        while (auto page = next()) {
            const auto begin = std::chrono::steady_clock::now();
            auto response = std::make_shared<http::Response>(made(page->make));
            around->post(
                [response, respond = std::move(page->respond)] { respond(std::move(*response)); });
            rest(std::chrono::steady_clock::now() - begin);
        }
    }

    std::optional<Page> next() {
        std::unique_lock lock(mutex);
        const auto has_page = [this] { return !waiting[0].empty() || !waiting[1].empty(); };
        changed.wait(lock, [&] { return is_stopped || has_page(); });
        if (is_stopped) return std::nullopt;
        if (waiting[turn].empty()) turn = 1 - turn;
        Page page = std::move(waiting[turn].front());
        waiting[turn].pop_front();
        turn = 1 - turn;
        return page;
    }

    static http::Response made(const std::function<http::Response()>& make) {
        try {
            return make();
        } catch (const std::exception& error) {
            spdlog::error("a list can't be made: {}", error.what());
            return http::problem(500, "failed", error.what());
        }
    }

    void rest(std::chrono::steady_clock::duration took) {
        std::unique_lock lock(mutex);
        const auto pause = std::min<std::chrono::steady_clock::duration>(took, longest_rest);
        changed.wait_for(lock, pause, [this] { return is_stopped; });
    }

    std::deque<Page> end() {
        std::deque<Page> left;
        {
            const std::lock_guard lock(mutex);
            is_stopped = true;
            for (std::deque<Page>& line : waiting)
                std::ranges::move(std::exchange(line, {}), std::back_inserter(left));
        }
        changed.notify_all();
        if (thread.joinable()) thread.join();
        return left;
    }

    Surroundings* around;  // none: pages are made at once
    std::mutex mutex;
    std::condition_variable changed;
    std::array<std::deque<Page>, 2> waiting;  // by size; under mutex, as the next two
    std::size_t turn = 0;
    bool is_stopped = false;
    std::thread thread;
};

PageThread::PageThread(Surroundings& around) : state_(std::make_unique<State>(&around)) {}

PageThread::PageThread() : state_(std::make_unique<State>(nullptr)) {}

PageThread::~PageThread() { state_->end(); }

void PageThread::answer(std::function<http::Response()> make,
                        http::Respond respond,
                        PageSize size) {
    state_->add({std::move(make), std::move(respond)}, size);
}

void PageThread::stop() {
    for (const State::Page& page : state_->end())
        page.respond(busy("stopping", "the program ends; try again at its next start"));
}

}  // namespace twophase::recovery
