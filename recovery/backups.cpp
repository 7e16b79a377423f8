#include "recovery/backups.hpp"

#include "http/fields.hpp"
#include "http/problem.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <exception>
#include <thread>
#include <utility>

namespace twophase::recovery {

struct Backups::State : std::enable_shared_from_this<State> {
    State(Surroundings& the_surroundings,
          std::function<const wal::Store&()> the_store,
          std::filesystem::path to)
        : around(the_surroundings), store(std::move(the_store)), directory(std::move(to)) {}

    void answer(const http::Request& request, const http::Respond& respond) {
        const auto json = http::read_json(request.body);
        if (!json) return respond(http::problem(json.error()));
        http::Fields fields(json->root());
        const std::string name = fields.text("name", {.max_bytes = 100, .allowed = "A-Za-z0-9_-"});
        if (const auto& error = fields.finish()) return respond(http::problem(*error));
        if (directory.empty())
            return respond(http::problem(409, "no-backups", "the setting `backups` is empty"));
        if (std::filesystem::exists(directory / name)) return respond(exists());
        if (is_busy || is_stopped) {
            http::Response busy =
                http::problem(409, "backup-under-way", "a backup is being written; one at a time");
            busy.headers.push_back({"Retry-After", "10"});
            return respond(std::move(busy));
        }
        copy(directory / name, respond);
    }

    void copy(const std::filesystem::path& target, const http::Respond& respond) {
        is_busy = true;
        thread = std::jthread([this, weak = weak_from_this(), target, respond] {
            http::Response response = write(target);
            around.post([weak, respond, response = std::move(response)]() mutable {
                if (const auto self = weak.lock()) self->is_busy = false;
                respond(std::move(response));
            });
        });
    }

    http::Response write(const std::filesystem::path& target) const {
        try {
            std::filesystem::create_directories(target.parent_path());
            store().backup(target);
            spdlog::info("wrote a backup to {}", target.string());
            return http::json_response({{"backup", target.string()}}, 201);
        } catch (const wal::StoreError& error) {
            if (error.code() == EEXIST) return exists();
            return http::problem(500, "failed", error.what());
        } catch (const std::exception& error) {
            return http::problem(500, "failed", error.what());
        }
    }

    static http::Response exists() {
        return http::problem(409, "backup-exists", "there is a backup of this name already");
    }

    Surroundings& around;
    std::function<const wal::Store&()> store;
    std::filesystem::path directory;
    bool is_busy = false;
    bool is_stopped = false;
    std::jthread thread;  // last: joined while what it reads is still there
};

Backups::Backups(Surroundings& around,
                 std::function<const wal::Store&()> store,
                 std::filesystem::path directory)
    : state_(std::make_shared<State>(around, std::move(store), std::move(directory))) {}

Backups::~Backups() { stop(); }

void Backups::add_route(http::Router& router) {
    router.add("POST",
               "/v1/backups",
               [state = state_](const http::Request& request, const http::Respond& respond) {
                   state->answer(request, respond);
               });
}

void Backups::stop() {
    state_->is_stopped = true;
    if (state_->thread.joinable()) state_->thread.join();
}

}  // namespace twophase::recovery
