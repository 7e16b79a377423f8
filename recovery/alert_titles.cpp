#include "recovery/alert_titles.hpp"

#include <algorithm>
#include <iterator>

namespace twophase::recovery {
namespace {

// clang-format off
constexpr AlertTitle titles[] = {
    {"dead_letter",         "Delivery given up, a person has to act",           "投递失败，需人工处理"},
    {"inconsistency",       "The books do not agree",                           "数据不一致，需人工核对"},
    {"heuristic_hazard",    "A participant went against the decision",          "参与者未按决议执行，需人工处理"},
    {"in_doubt",            "A branch has been in doubt for too long",          "分支悬疑时间过长"},
    {"breaker_open",        "A participant gives no answer",                    "参与者无响应，已熔断"},
    {"old_reader",          "A process keeps the store from using its room again", "有进程阻止存储回收空间"},
    {"disk_low",            "The store is running out of room",                 "存储空间不足"},
    {"request_fault",       "A participant found a request faulty",             "参与者认为请求有误"},
    {"delivery_stuck",      "A delivery does not get through",                  "投递受阻，仍在重试"},
    {"resolved_by_hand",    "A person resolved a transaction",                  "事务已由人工处理"},
    {"unknown_participant", "A transaction names an unknown participant",       "事务引用了未配置的参与者"},
    {"stale_epoch",         "This coordinator has been replaced",               "本协调器已被取代"},
    {"replaced",            "This coordinator ends: another log is listened to", "本协调器停止：参与者在听从另一份日志"},
    {"log_behind",          "This log is an old copy and is closed",            "本日志是旧副本，已关闭"},
    {"other_log",           "A participant listens to another log",             "参与者在听从另一份日志"},
    {"other_store",         "A participant's store is not the one that was there", "参与者的存储已被更换"},
    {"old_store",           "A participant's store is an old or second copy",   "参与者的存储是旧副本或重复副本"},
    {"log_accepted",        "A person accepted a log",                          "日志已由人工接受"},
    {"store_accepted",      "A person accepted a participant's store",          "参与者存储已由人工接受"},
    {"clock_ahead",         "Ids are ahead of the clock",                       "事务编号超前于时钟"},
    {"not_compared",        "Not everything could be compared",                 "部分数据无法核对"},
    {"damaged_record",      "A stored record is damaged",                       "存储的记录已损坏"},
};
// clang-format on

}  // namespace

std::span<const AlertTitle> alert_titles() { return titles; }

std::string_view alert_title(std::string_view kind, Language language) {
    const auto* const found = std::ranges::find(titles, kind, &AlertTitle::kind);
    if (found == std::end(titles)) return kind;
    return language == Language::zh ? found->zh : found->en;
}

}  // namespace twophase::recovery
