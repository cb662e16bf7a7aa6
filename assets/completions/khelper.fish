# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_khelper_global_optspecs
    string join \n set= read-only no-mouse ascii h/help V/version
end

function __fish_khelper_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_khelper_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_khelper_using_subcommand
    set -l cmd (__fish_khelper_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c khelper -n "__fish_khelper_needs_command" -l set -d 'Write a knob of the engine that this command starts; may be repeated' -r
complete -c khelper -n "__fish_khelper_needs_command" -l read-only -d 'Allow the console to read only: it starts and changes nothing'
complete -c khelper -n "__fish_khelper_needs_command" -l no-mouse -d 'Do not use the mouse; always the case inside screen(1)'
complete -c khelper -n "__fish_khelper_needs_command" -l ascii -d 'Draw with ASCII characters only; the default if TERM or the locale supports no others'
complete -c khelper -n "__fish_khelper_needs_command" -s h -l help -d 'Print help'
complete -c khelper -n "__fish_khelper_needs_command" -s V -l version -d 'Print version'
complete -c khelper -n "__fish_khelper_needs_command" -f -a "request" -d 'Request modules, as the kernel\'s request_module does'
complete -c khelper -n "__fish_khelper_needs_command" -f -a "run" -d 'Call any helper, as the kernel\'s call_usermodehelper does'
complete -c khelper -n "__fish_khelper_needs_command" -f -a "probe" -d 'Run the built-in probe as a helper, to see what a helper gets'
complete -c khelper -n "__fish_khelper_needs_command" -f -a "mask" -d 'Show masks in every form'
complete -c khelper -n "__fish_khelper_needs_command" -f -a "get" -d 'Read knobs'
complete -c khelper -n "__fish_khelper_needs_command" -f -a "keys" -d 'Print the console\'s keys, as settings for console.toml'
complete -c khelper -n "__fish_khelper_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c khelper -n "__fish_khelper_using_subcommand request" -l set -d 'Write a knob of the engine that this command starts; may be repeated' -r
complete -c khelper -n "__fish_khelper_using_subcommand request" -l parallel -d 'Run up to N requests at the same time' -r
complete -c khelper -n "__fish_khelper_using_subcommand request" -l repeat -d 'Repeat the whole list N times' -r
complete -c khelper -n "__fish_khelper_using_subcommand request" -l nowait -d 'Return once the helper is executed (WAIT_EXEC) instead of when it exits'
complete -c khelper -n "__fish_khelper_using_subcommand request" -l json -d 'Print one JSON object per request, each on its own line'
complete -c khelper -n "__fish_khelper_using_subcommand request" -s h -l help -d 'Print help'
complete -c khelper -n "__fish_khelper_using_subcommand run" -l set -d 'Write a knob of the engine that this command starts; may be repeated' -r
complete -c khelper -n "__fish_khelper_using_subcommand run" -l wait -d 'When to return: once the helper is queued, once it is executed, or when it exits' -r -f -a "none\t'NO_WAIT: returns once the helper is queued'
exec\t'WAIT_EXEC: returns once the helper is executed'
proc\t'WAIT_PROC: returns when the helper has exited'"
complete -c khelper -n "__fish_khelper_using_subcommand run" -l timeout -d 'Send TERM after SECONDS and KILL 2 s later (only with --wait proc)' -r
complete -c khelper -n "__fish_khelper_using_subcommand run" -l bset -d 'Narrow the bounding set for this call' -r
complete -c khelper -n "__fish_khelper_using_subcommand run" -l inheritable -d 'Narrow the inheritable set for this call' -r
complete -c khelper -n "__fish_khelper_using_subcommand run" -l env -d 'Add to the helper\'s environment; may be repeated' -r
complete -c khelper -n "__fish_khelper_using_subcommand run" -l json -d 'Print one JSON object'
complete -c khelper -n "__fish_khelper_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c khelper -n "__fish_khelper_using_subcommand probe" -l set -d 'Write a knob of the engine that this command starts; may be repeated' -r
complete -c khelper -n "__fish_khelper_using_subcommand probe" -l json -d 'Print the record as one JSON object, with the report under `probe`'
complete -c khelper -n "__fish_khelper_using_subcommand probe" -s h -l help -d 'Print help'
complete -c khelper -n "__fish_khelper_using_subcommand mask" -l set -d 'Write a knob of the engine that this command starts; may be repeated' -r
complete -c khelper -n "__fish_khelper_using_subcommand mask" -l json -d 'Print one JSON object per mask, each on its own line'
complete -c khelper -n "__fish_khelper_using_subcommand mask" -s h -l help -d 'Print help'
complete -c khelper -n "__fish_khelper_using_subcommand get" -l set -d 'Write a knob of the engine that this command starts; may be repeated' -r
complete -c khelper -n "__fish_khelper_using_subcommand get" -s a -l all -d 'Print every knob'
complete -c khelper -n "__fish_khelper_using_subcommand get" -s n -l values -d 'Print only the values'
complete -c khelper -n "__fish_khelper_using_subcommand get" -s e -l ignore -d 'Ignore unknown keys'
complete -c khelper -n "__fish_khelper_using_subcommand get" -s h -l help -d 'Print help'
complete -c khelper -n "__fish_khelper_using_subcommand keys" -s h -l help -d 'Print help'
complete -c khelper -n "__fish_khelper_using_subcommand help; and not __fish_seen_subcommand_from request run probe mask get keys help" -f -a "request" -d 'Request modules, as the kernel\'s request_module does'
complete -c khelper -n "__fish_khelper_using_subcommand help; and not __fish_seen_subcommand_from request run probe mask get keys help" -f -a "run" -d 'Call any helper, as the kernel\'s call_usermodehelper does'
complete -c khelper -n "__fish_khelper_using_subcommand help; and not __fish_seen_subcommand_from request run probe mask get keys help" -f -a "probe" -d 'Run the built-in probe as a helper, to see what a helper gets'
complete -c khelper -n "__fish_khelper_using_subcommand help; and not __fish_seen_subcommand_from request run probe mask get keys help" -f -a "mask" -d 'Show masks in every form'
complete -c khelper -n "__fish_khelper_using_subcommand help; and not __fish_seen_subcommand_from request run probe mask get keys help" -f -a "get" -d 'Read knobs'
complete -c khelper -n "__fish_khelper_using_subcommand help; and not __fish_seen_subcommand_from request run probe mask get keys help" -f -a "keys" -d 'Print the console\'s keys, as settings for console.toml'
complete -c khelper -n "__fish_khelper_using_subcommand help; and not __fish_seen_subcommand_from request run probe mask get keys help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
