#!/bin/sh
# Makes the pictures of the README from the real program in a pseudo-terminal: assets/screens/NAME.svg and NAME.txt.
# Run it as root on a machine with cgroups of version 1 for the pictures of the kernel; else those stay as they are.
set -eu
cd "$(dirname "$0")/.."
export KHELPER_SCREENS=assets/screens
${CARGO:-cargo} test --locked --test console --test kernel_target -- --exact --nocapture \
    tour::the_tour_of_one_minute pictures::the_kernel_and_a_real_why
