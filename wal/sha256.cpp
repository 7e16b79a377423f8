#include "wal/sha256.hpp"

#include <memory>
#include <openssl/evp.h>
#include <stdexcept>

namespace twophase::wal {
namespace {

/// The one-shot calls look the algorithm up each time, which takes as long as hashing a request.
class Hasher {
public:
    Hasher() : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {}

    Digest hash(std::string_view bytes) {
        Digest digest{};
        if (!context_ || EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) != 1 ||
            EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1 ||
            EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) != 1)
            throw std::runtime_error("libcrypto has no SHA-256");
        return digest;
    }

private:
    struct Free {
        void operator()(EVP_MD* algorithm) const { EVP_MD_free(algorithm); }
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD, Free> algorithm_;
    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace

Digest sha256(std::string_view bytes) {
    thread_local Hasher hasher;
    return hasher.hash(bytes);
}

}  // namespace twophase::wal
