-- Gives wrk's result as one line of numbers, and makes an upload of it on request.
if os.getenv("BENCH_BODY_BYTES") then
    wrk.method = "POST"
    wrk.body = string.rep("x", tonumber(os.getenv("BENCH_BODY_BYTES")))
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d %d\n",
        summary.requests,
        summary.duration,
        latency:percentile(50),
        latency:percentile(99),
        errors.connect + errors.status + errors.timeout,
        errors.read + errors.write))
end
