#include "tests/bench/rounds.hpp"

#include <cstdio>
#include <stdexcept>

namespace twophase::bench {
namespace {

/// One round of one side, added to its row.
void run(Row& row, const Side& side, std::chrono::milliseconds length) {
    Place& place = side.place;
    Exchanges& exchanges = place.exchanges;
    const Books books = read_books(place.io, exchanges);
    const std::size_t committed = exchanges.committed();
    const std::int64_t alone = exchanges.deducted_alone();
    std::map<std::string, Used> before;
    for (const std::string name : Servers::names) before[name] = place.servers.used(name);
    const double own = own_processor_seconds();

    const Measured measured = run_clients(place.io, row.clients, length, side.task);
    row.own_processor_seconds += own_processor_seconds() - own;
    wait_until_quiet(place.io, exchanges);
    for (const std::string name : Servers::names) {
        Used used = place.servers.used(name);
        row.used[name] += used -= before[name];
        row.memory[name] = place.servers.memory(name);
    }
    row.measured.add(measured);
    const std::string fault = disagreement(books,
                                           read_books(place.io, exchanges),
                                           exchanges.committed() - committed,
                                           exchanges.deducted_alone() - alone);
    if (measured.failed > 0 || !fault.empty())
        throw std::runtime_error(row.name + ", " + row.side + ": " +
                                 std::to_string(measured.failed) +
                                 " tasks failed; books: " + (fault.empty() ? "agree" : fault) +
                                 " The fleet's logs are in " + place.servers.folder().string());
}

}  // namespace

Place::Place(boost::asio::io_context& the_io,
             const std::filesystem::path& folder,
             std::size_t clients)
    : io(the_io), servers(folder), exchanges(the_io, servers, clients) {
    servers.start();
    open_books(io, exchanges);
}

void compare(Report& report,
             const std::string& name,
             std::size_t clients,
             const std::vector<Side>& sides,
             const Length& length) {
    std::vector<Row> rows;
    for (const Side& side : sides)
        rows.push_back({.name = name, .side = side.label, .clients = clients});
    for (std::size_t round = 0; round < length.rounds; ++round)
        for (std::size_t i = 0; i < sides.size(); ++i) {
            run(rows[i], sides[i], length.round);
            say(name + ", " + sides[i].label + ", round " + std::to_string(round + 1) + " of " +
                std::to_string(length.rounds) + ": " +
                std::to_string(static_cast<long>(rows[i].measured.rate())) + "/s");
        }
    for (Row& row : rows) report.add(std::move(row));
}

void say(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

}  // namespace twophase::bench
