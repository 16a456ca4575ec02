# What a job of the torture does; read in by its command. Each line is one write at the end of a
# file outside the store: "begin", "end" and what is between, with id, attempt, pid and uptime.
say() {
    read -r up rest < /proc/uptime
    echo "$1 $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $$ $up" >> "$TORTURE/runs.log"
}

say begin
case $MODE in
quick) ;;
sleep) sleep "$LENGTH" ;;
child) (sleep "$LENGTH"; say child) & wait ;;
stubborn) trap '' TERM; sleep "$LENGTH"; say stubborn; sleep "$LENGTH" ;;
loud) head -c "$LENGTH" /dev/zero | tr '\0' x ;;
fail)
    if [ ! -e "$TORTURE/failed/$QUEUECTL_JOB_ID" ]; then
        : > "$TORTURE/failed/$QUEUECTL_JOB_ID"
        say fail
        exit 1
    fi ;;
esac
say end
