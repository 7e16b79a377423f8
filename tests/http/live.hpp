// A server on a loop of its own.
#pragma once

#include "http/server.hpp"
#include "raw_socket.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace twophase::http::test {

/// A loop on a thread of its own.
class Loop {
public:
    Loop() : work_(io.get_executor()), thread_([this] { io.run(); }) {}
    ~Loop() {
        work_.reset();
        io.stop();
        thread_.join();
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Runs `job` on the loop's thread and waits for what it returns.
    template <class Job>
    auto run(Job job) {
        std::packaged_task<decltype(job())()> task(std::move(job));
        auto result = task.get_future();
        boost::asio::post(io, [&task] { task(); });
        return result.get();
    }

    boost::asio::io_context io{1};

private:
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::thread thread_;
};

/// A started server.
class LiveServer {
public:
    explicit LiveServer(Handler handler, ServerOptions options = {}) {
        server_ = loop_.run([&] {
            auto server = std::make_unique<Server>(loop_.io, options, handler);
            server->start();
            return server;
        });
    }
    ~LiveServer() {
        loop_.run([this] { server_.reset(); });
    }
    LiveServer(const LiveServer&) = delete;
    LiveServer& operator=(const LiveServer&) = delete;

    RawSocket connect() const { return RawSocket::to(server_->port()); }
    std::uint16_t port() const { return server_->port(); }
    Loop& loop() { return loop_; }
    Server& server() { return *server_; }
    void destroy_server() {
        loop_.run([this] { server_.reset(); });
    }

    std::size_t connections() {
        return loop_.run([this] { return server_->connections(); });
    }

    /// Sends `bytes` on a connection of their own; what came back until the server closed.
    std::string talk(std::string_view bytes) {
        RawSocket socket = connect();
        socket.send(bytes);
        return socket.read_all();
    }

private:
    Loop loop_;
    std::unique_ptr<Server> server_;
};

}  // namespace twophase::http::test
