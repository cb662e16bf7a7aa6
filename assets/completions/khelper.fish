# Completion for fish(1). khelper itself says what may come next; where it says nothing, fish completes files.
function __khelper_complete
    set -l words (commandline -opc)
    $words[1] __complete $words[2..] (commandline -ct) 2>/dev/null
end
complete -c khelper -f -a '(__khelper_complete)'
complete -c khelper -n 'not __khelper_complete | string length -q' -F
