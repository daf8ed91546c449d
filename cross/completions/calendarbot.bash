# bash completion for calendarbot
# Made from the tables in src/config: `BLESS=1 cargo test document`.
_calendarbot() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd= word own=
    # `--option=value` comes as three words.
    if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
    COMPREPLY=()
    case $prev in
        -c|--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --host) :; return ;;
        --port) :; return ;;
        --unix-socket) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --base-path) :; return ;;
        --data-dir) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        --pid-file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --memory-budget) :; return ;;
        --log-level) mapfile -t COMPREPLY < <(compgen -W "off error warn info debug trace" -- "$cur"); return ;;
        --time-zone) mapfile -t COMPREPLY < <(compgen -W "$(timedatectl list-timezones 2>/dev/null)" -- "$cur"); return ;;
        --layout) mapfile -t COMPREPLY < <(compgen -W "$(calendarbot check 2>/dev/null | sed -n 's/^feed `\(.*\)`: .*/\1/p')" -- "$cur"); return ;;
        --feed) mapfile -t COMPREPLY < <(compgen -W "$(calendarbot check 2>/dev/null | sed -n 's/^feed `\(.*\)`: .*/\1/p')" -- "$cur"); return ;;
        -n|--count) :; return ;;
        --url) :; return ;;
    esac
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in serve|check|config|plan|next|explain|export|stats|help) cmd=$word; break ;; esac
    done
    case $cmd in
        serve|'') own='--daemon' ;;
        next) own='--feed --count --json' ;;
        explain) own='--show-private' ;;
        export) own='--show-private' ;;
        stats) own='--json --watch --url' ;;
    esac
    case $cmd,$cur in
        *,-*) mapfile -t COMPREPLY < <(compgen -W "-c --config --host --port --unix-socket --base-path --access-log --data-dir --pid-file --memory-budget --log-level --time-zone --layout --allow-private-feeds -q --quiet -v --verbose -h --help -V --version $own" -- "$cur") ;;
        ,*) mapfile -t COMPREPLY < <(compgen -W "serve check config plan next explain export stats help" -- "$cur") ;;
        config,*) if [[ $prev == check ]]; then compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); else mapfile -t COMPREPLY < <(compgen -W "show check history revert" -- "$cur"); fi ;;
        explain,*|export,*) mapfile -t COMPREPLY < <(compgen -W "$(calendarbot check 2>/dev/null | sed -n 's/^feed `\(.*\)`: .*/\1/p')" -- "$cur") ;;
        help,*) mapfile -t COMPREPLY < <(compgen -W "BATCH_SIZE BATCH_TIMEOUT_MS CACHE_MAX_SIZE CACHE_MEMORY_LIMIT_MB CACHE_TTL_SECONDS CALENDARBOT_ACCESS_LOG CALENDARBOT_ADMIN_TOKEN_FILE CALENDARBOT_ALEXA_BEARER_TOKEN CALENDARBOT_ALEXA_BEARER_TOKEN_FILE CALENDARBOT_ALLOW_PRIVATE_FEEDS CALENDARBOT_BASE_PATH CALENDARBOT_CA_FILE CALENDARBOT_CONFIG CALENDARBOT_DATA_DIR CALENDARBOT_DEBUG CALENDARBOT_DEFAULT_TIMEZONE CALENDARBOT_FUTURE_DAYS CALENDARBOT_ICS_AUTH_TYPE CALENDARBOT_ICS_BEARER_TOKEN CALENDARBOT_ICS_PASSWORD CALENDARBOT_ICS_TIMEOUT CALENDARBOT_ICS_URL CALENDARBOT_ICS_USERNAME CALENDARBOT_LOG_LEVEL CALENDARBOT_ME CALENDARBOT_MEMORY_BUDGET CALENDARBOT_PAST_DAYS CALENDARBOT_PID_FILE CALENDARBOT_REFRESH_INTERVAL CALENDARBOT_REFRESH_INTERVAL_SECONDS CALENDARBOT_REQUESTS_PER_SECOND CALENDARBOT_SERVER_BIND CALENDARBOT_SERVER_NAMES CALENDARBOT_SERVER_PORT CALENDARBOT_SETTINGS_FROM_LAN CALENDARBOT_TEST_TIME CALENDARBOT_TRUSTED_PROXIES CALENDARBOT_UNIX_SOCKET CALENDARBOT_WEB_HOST CALENDARBOT_WEB_LAYOUT CALENDARBOT_WEB_PORT CONNECTION_POOL_ENABLED DB_POOL_SIZE HTTP_CONNECTIONS_PER_HOST HTTP_POOL_SIZE PHASE_2A_CONNECTION_POOLING PHASE_2A_ENABLED PHASE_2A_MAX_MEMORY_MB PHASE_2A_MONITORING PHASE_2A_REQUEST_PIPELINE PHASE_2A_ROLLOUT PHASE_2A_ROLLOUT_PERCENTAGE REQUEST_BATCHING REQUEST_PIPELINE_ENABLED access_log admin.token_file alerts.cache_critical alerts.cache_warn alerts.cpu_critical alerts.cpu_warn alerts.disk_free alerts.errors_critical alerts.errors_warn alerts.exit_hold alerts.exit_percent alerts.feed_critical alerts.feed_intervals alerts.hold alerts.latency_critical alerts.latency_floor alerts.latency_hold alerts.latency_warn alerts.memory_critical alerts.memory_warn alerts.pool_critical alerts.pool_warn alerts.temperature_critical alerts.temperature_warn alerts.webhook alexa.bearer_token alexa.bearer_token_file allow_private_address allow_private_feeds auth base_path bearer_token bearer_token_file ca_file check color config count credential daemon data_dir database.readers display.date_order display.frame_ancestors display.hour12 display.language display.layout display.theme display.week_numbers display.week_start exclude explain export feed file flags.batching flags.caching flags.connection_pooling flags.deduplication flags.enabled flags.request_pipeline flags.rollout flags.rollout_percentage flags.warming future_days headers headers_file help host include insecure_tls interval json log_level me memory_budget name next outbound.connections outbound.connections_per_host password password_file past_days pid_file pipeline.batch_size pipeline.batch_wait_ms pipeline.cache_entries pipeline.cache_memory pipeline.cache_ttl pipeline.ranges_share plan port private quiet rate_limit refresh_interval responses.enabled responses.refresh_stretch responses.shed_after responses.thrash_evictions responses.thrash_hits responses.thrash_hold rollback.cpu_hold rollback.enabled rollback.errors rollback.errors_hold rollback.latency_factor rollback.latency_hold rollback.memory_hold rollback.retry rollback.slower serve server_names settings_from_lan show-private show_declined stats time_zone timeout trusted_proxies unix_socket url url_file user_agent username verbose version watch web" -- "$cur") ;;
    esac
}
complete -F _calendarbot calendarbot
