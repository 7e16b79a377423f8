// Pages beside the loop: one at a time, in order, and an end that leaves nobody without an answer.
#include "recovery/page_thread.hpp"

#include "tests/recovery/manual_surroundings.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace twophase::recovery {
namespace {

/// A loop that another thread may post to.
class Posting : public testing::ManualSurroundings {
public:
    void post(std::function<void()> function) override {
        const std::lock_guard lock(mutex_);
        posted_.push_back(std::move(function));
        changed_.notify_all();
    }
    void run_one() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !posted_.empty(); });
        const auto function = std::move(posted_.front());
        posted_.pop_front();
        lock.unlock();
        function();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> posted_;
};

http::Response text(std::string body) { return {.status = 200, .body = std::move(body)}; }

TEST(PageThreadTest, MakesOnePageAtATimeInOrderAndAnswersOnTheLoop) {
    Posting loop;
    PageThread pages(loop);
    std::atomic<int> at_once = 0;
    std::vector<std::string> answers;
    for (const char* name : {"a", "b", "c"})
        pages.answer(
            [&at_once, name] {
                EXPECT_EQ(++at_once, 1);
                --at_once;
                return text(name);
            },
            [&](http::Response response) { answers.push_back(std::move(response.body)); });
    for (int i = 0; i < 3; ++i) loop.run_one();
    EXPECT_EQ(answers, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(PageThreadTest, AListDoesNotWaitBehindEveryExport) {
    Posting loop;
    PageThread pages(loop);
    std::promise<void> go_on;
    auto waits = go_on.get_future().share();
    std::string order;
    const auto ask = [&](const char* name, PageSize size) {
        pages.answer(
            [waits, name] {
                waits.wait();
                return text(name);
            },
            [&](const http::Response& response) { order += response.body; },
            size);
    };
    for (const char* name : {"1", "2", "3", "4"}) ask(name, PageSize::bulk);
    for (const char* name : {"a", "b"}) ask(name, PageSize::list);
    go_on.set_value();
    for (int i = 0; i < 6; ++i) loop.run_one();
    EXPECT_LT(order.find('a'), 2U) << order;
    EXPECT_LT(order.find('b'), 4U) << order;
    EXPECT_EQ(order.find('3'), order.find('4') - 1) << "and exports end, too: " << order;
}

TEST(PageThreadTest, LeavesTheProcessorToPayments) {
    Posting loop;
    PageThread pages(loop);
    int priority = 0;
    pages.answer(
        [&priority] {
            priority = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
            return text("");
        },
        [](const http::Response&) {});
    loop.run_one();
    EXPECT_EQ(priority, 19);
    EXPECT_LT(::getpriority(PRIO_PROCESS, 0), 19) << "the loop's own is as it was";
}

TEST(PageThreadTest, WhatThrowsIsAnsweredAndTheNextPageIsMade) {
    Posting loop;
    PageThread pages(loop);
    std::vector<unsigned> statuses;
    const auto note = [&](const http::Response& response) { statuses.push_back(response.status); };
    pages.answer([]() -> http::Response { throw std::runtime_error("damaged"); }, note);
    pages.answer([] { return text(""); }, note);
    loop.run_one();
    loop.run_one();
    EXPECT_EQ(statuses, (std::vector<unsigned>{500, 200}));
}

TEST(PageThreadTest, WhoWaitsWhenItEndsIsTold) {
    Posting loop;
    PageThread pages(loop);
    std::promise<void> begun;
    std::promise<void> go_on;
    std::vector<unsigned> statuses;
    const auto note = [&](const http::Response& response) { statuses.push_back(response.status); };
    pages.answer(
        [&] {
            begun.set_value();
            go_on.get_future().wait();
            return text("");
        },
        note);
    begun.get_future().wait();
    pages.answer([] { return text("never made"); }, note);
    std::thread ender([&] { go_on.set_value(); });
    pages.stop();
    ender.join();
    EXPECT_EQ(statuses, (std::vector<unsigned>{503}));
    pages.answer([] { return text("too late"); }, note);
    EXPECT_EQ(statuses, (std::vector<unsigned>{503, 503}));
    loop.run_one();
    EXPECT_EQ(statuses.back(), 200U) << "the one that was being made";
}

TEST(PageThreadTest, ABoundedNumberWaits) {
    Posting loop;
    PageThread pages(loop);
    std::promise<void> go_on;
    auto waits = go_on.get_future().share();
    std::size_t refused = 0;
    for (int i = 0; i < 400; ++i)
        pages.answer(
            [waits] {
                waits.wait();
                return text("");
            },
            [&](const http::Response& response) { refused += response.status == 503 ? 1 : 0; });
    EXPECT_GE(refused, 400U - 257U);
    EXPECT_LE(refused, 400U - 256U);
    go_on.set_value();
}

}  // namespace
}  // namespace twophase::recovery
