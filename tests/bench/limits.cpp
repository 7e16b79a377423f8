#include "tests/bench/limits.hpp"

#include "http/client.hpp"
#include "http/server.hpp"
#include "wal/log.hpp"

#include <boost/asio/post.hpp>

#include <array>
#include <fcntl.h>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

namespace twophase::bench {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Instant = std::chrono::steady_clock::time_point;

double seconds_since(Instant start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Until the records are durable.
void append_and_wait(wal::Log& log, std::vector<wal::Entry> entries) {
    std::promise<void> durable;
    log.append(
        std::move(entries), wal::Urgency::forced, [&](wal::Written) { durable.set_value(); });
    durable.get_future().wait();
}

wal::Gid gid_of(std::uint64_t number) {
    wal::Gid gid{};
    for (int i = 0; i < 8; ++i) gid.at(15 - i) = static_cast<std::uint8_t>(number >> (8 * i));
    return gid;
}

}  // namespace

Measured empty_posts(boost::asio::io_context& io,
                     std::size_t clients,
                     std::chrono::milliseconds length) {
    boost::asio::io_context of_server(1);
    http::Server server(of_server, {}, [](const http::Request&, const http::Respond& respond) {
        respond({.status = 200});
    });
    server.start();
    std::jthread thread([&] { of_server.run(); });
    Measured measured;
    {
        http::Client client(
            io,
            http::Endpoint::parse("http://127.0.0.1:" + std::to_string(server.port())).value(),
            {.max_connections = clients});
        measured = run_clients(io, clients, length, [&](std::size_t, Done done) {
            client.send({.method = "POST", .target = "/"},
                        10s,
                        [done = std::move(done)](const http::Result<http::Response>& response) {
                            done(response && response->status == 200);
                        });
        });
        client.close();
    }
    boost::asio::post(of_server, [&] { server.stop(1s, [&] { of_server.stop(); }); });
    return measured;
}

double log_records(const fs::path& folder, std::size_t batch, std::chrono::milliseconds length) {
    const fs::path data = folder / ("log-alone-" + std::to_string(batch));
    fs::create_directories(data);
    std::size_t records = 0;
    double seconds = 0;
    {
        wal::LogOptions options;
        options.store.directory = data;
        options.store.id = "bench";
        options.store.any_filesystem = true;
        wal::Log log(options, [](const std::function<void()>& function) { function(); });
        const std::string payload(400, 'x');  // about what a start takes
        const Instant start = std::chrono::steady_clock::now();
        while (std::chrono::steady_clock::now() < start + length) {
            std::vector<wal::Entry> entries;
            for (std::size_t i = 0; i < batch; ++i, ++records) {
                const wal::Gid gid = gid_of(records);
                entries.push_back({.gid = gid, .payload = payload});
                entries.back().starts =
                    wal::BusinessEntry{.key = {"bench", std::to_string(records)}, .gid = gid};
            }
            append_and_wait(log, std::move(entries));
        }
        seconds = seconds_since(start);
    }
    fs::remove_all(data);
    return double(records) / seconds;
}

double disk_syncs(const fs::path& folder, std::chrono::milliseconds length) {
    const fs::path file = folder / "sync";
    const int fd = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) throw std::runtime_error("can't write to " + file.string());
    const std::array<char, 4096> page{};
    std::size_t syncs = 0;
    const Instant start = std::chrono::steady_clock::now();
    for (; std::chrono::steady_clock::now() < start + length; ++syncs) {
        const auto at = static_cast<off_t>(syncs % 256 * page.size());
        if (::pwrite(fd, page.data(), page.size(), at) != ssize_t(page.size()) ||
            ::fdatasync(fd) != 0)
            throw std::runtime_error("the disk can't be synced");
    }
    const double seconds = seconds_since(start);
    ::close(fd);
    fs::remove(file);
    return double(syncs) / seconds;
}

}  // namespace twophase::bench
