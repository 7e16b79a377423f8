twophase_test(recoveryctl_test
    SOURCES
        command_line_test.cpp
        common_settings_test.cpp
        participants_test.cpp
        recoveryctl_audit_test.cpp
        recoveryctl_support.cpp
        recoveryctl_test.cpp
        removed_participant_test.cpp
        rename_store_test.cpp
        ../participants/bench.cpp
        ../participants/running.cpp
    LINK twophase_recoveryctl twophase_credit nlohmann_json::nlohmann_json)
add_dependencies(recoveryctl_test recoveryctl coordinator)
target_compile_definitions(recoveryctl_test PRIVATE
    RECOVERYCTL="$<TARGET_FILE:recoveryctl>" COORDINATOR="$<TARGET_FILE:coordinator>")
