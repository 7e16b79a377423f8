#include "tests/conformance/caller.hpp"

#include "http/client.hpp"

#include <algorithm>
#include <thread>

namespace twophase::conformance {
namespace {

constexpr std::chrono::milliseconds before_asking_again{50};

bool is_to_be_asked_again(const Answer& answer) {
    return answer.status == 503 || answer.status == 429;
}

http::Call to_call(const Request& request) {
    http::Call call{.method = request.method,
                    .target = request.target,
                    .body = request.body,
                    .content_type = request.content_type};
    if (!request.traceparent.empty()) call.headers.push_back({"traceparent", request.traceparent});
    return call;
}

}  // namespace

Answer Caller::try_once(const Request& request) const { return send({request}).front(); }

Answer Caller::call(const Request& request) const {
    const auto end = std::chrono::steady_clock::now() + timeout_;
    Answer answer = try_once(request);
    while (is_to_be_asked_again(answer) && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(before_asking_again);
        answer = try_once(request);
    }
    return answer;
}

std::vector<Answer> Caller::call_together(const std::vector<Request>& requests) const {
    std::vector<Answer> answers = send(requests);
    for (std::size_t i = 0; i < answers.size(); ++i)
        if (is_to_be_asked_again(answers[i])) answers[i] = call(requests[i]);
    return answers;
}

std::vector<Answer> Caller::send(const std::vector<Request>& requests) const {
    boost::asio::io_context io(1);
    // Fresh connections: what a peer does with idle ones is no part of the contract.
    http::Client client(io, participant_, {.max_connections = requests.size()});
    std::vector<Answer> answers(requests.size());
    std::size_t waiting = requests.size();
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const auto done = [&, i](http::Result<http::Response> response) {
            answers[i] = read_answer(requests[i], response);
            if (--waiting == 0) io.stop();
        };
        client.send(to_call(requests[i]), timeout_, done);
    }
    io.run();
    return answers;
}

}  // namespace twophase::conformance
