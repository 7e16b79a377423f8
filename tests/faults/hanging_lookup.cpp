// Preloaded into a program: the name server never answers for hosts in .hangs, and hosts in
// .here are this one.
#include <dlfcn.h>
#include <netdb.h>
#include <string_view>
#include <unistd.h>

extern "C" int getaddrinfo(const char* name,
                           const char* service,
                           const addrinfo* hints,
                           addrinfo** result) {
    using Function = decltype(&::getaddrinfo);
    static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    const std::string_view host = name == nullptr ? "" : name;
    while (host.ends_with(".hangs")) ::pause();
    return real(host.ends_with(".here") ? "127.0.0.1" : name, service, hints, result);
}
