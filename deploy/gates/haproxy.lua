-- Asks a gate of sts-verify whether a request may pass, for `http-request lua.gate URL`.
--
-- It sets txn.gate_status (0 if there was no answer), txn.gate_challenge, txn.gate_retry_after, and for each header that the gate answers a
-- variable such as txn.x_sts_account. What follows from it is in haproxy.cfg.

local ANSWERED = {
    "x-sts-account", "x-sts-principal", "x-sts-arn", "x-sts-user-id", "x-sts-session-name", "x-sts-principal-type",
    "x-sts-partition", "x-sts-org-id", "x-sts-org-path",
}

local TIMEOUT = 25000 -- milliseconds; longer than STS_VERIFY_DEADLINE

-- All values of a header, as the HTTP client takes them. What is there twice has to stay so: the gate refuses it.
local function values(headers, name)
    local found = {}
    for _, value in pairs(headers[name] or {}) do
        found[#found + 1] = value
    end
    return found
end

local function first(headers, name)
    return headers and headers[name] and headers[name][0] or ""
end

core.register_action("gate", { "http-req" }, function(txn, url)
    local given = txn.http:req_get_headers()
    local answer = core.httpclient():get({
        url = url,
        headers = {
            ["x-sts-verify-proof"] = values(given, "x-sts-verify-proof"),
            ["authorization"] = values(given, "authorization"),
            -- Whom the gate's rate limit counts: STS_VERIFY_TRUSTED_PROXIES=1.
            ["x-forwarded-for"] = { txn.f:src() },
        },
        timeout = TIMEOUT,
    })
    local status = answer and answer.status or 0
    local headers = answer and answer.headers
    txn:set_var("txn.gate_status", status)
    txn:set_var("txn.gate_challenge", first(headers, "www-authenticate"))
    txn:set_var("txn.gate_retry_after", first(headers, "retry-after"))
    for _, name in ipairs(ANSWERED) do
        txn:set_var("txn." .. name:gsub("-", "_"), first(headers, name))
    end
end, 1)
