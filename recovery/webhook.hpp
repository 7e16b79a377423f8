// Events on their way to a webhook: a bounded number waits, each is POSTed until it was taken.
#pragma once

#include "http/endpoint.hpp"
#include "recovery/backoff.hpp"
#include "recovery/surroundings.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace twophase::recovery {

struct WebhookOptions {
    http::Endpoint endpoint;
    std::size_t most = 1'000;  // that wait, those in flight included
    std::size_t most_bytes = std::size_t{64} << 20;
    std::chrono::milliseconds timeout{10'000};
    BackoffOptions backoff;
};

/// Schedules with a lane, as calls to participants are: window, backoff and breaker. Belongs to the
/// loop; once destroyed it sends nothing more.
class Webhook {
public:
    /// `around` outlives it.
    Webhook(Surroundings& around, WebhookOptions options);
    ~Webhook();
    Webhook(const Webhook&) = delete;
    Webhook& operator=(const Webhook&) = delete;

    /// A CloudEvent in structured JSON, until the webhook answers 2xx. False when there is no
    /// place: nothing was taken.
    bool send(std::string event);

    std::size_t waiting() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace twophase::recovery
