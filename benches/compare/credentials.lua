-- For wrk: posts new credentials with every request, and prints what came of it as one line of JSON.
-- Each thread of wrk runs a copy of this file; the number of a thread keeps its credentials apart from the others'.

local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local headers = { ["Content-Type"] = "application/json" }
local threads = 0
local syllables, asked = {}, 0

function setup(thread)
    threads = threads + 1
    thread:set("number", threads)
end

local function random_text(length)
    local text = {}
    for place = 1, length do
        local letter = math.random(#letters)
        text[place] = letters:sub(letter, letter)
    end
    return table.concat(text)
end

-- 4,096 pieces of eight characters: a text of random ones costs little to put together.
function init()
    math.randomseed(os.time() * 64 + number)
    for place = 1, 4096 do
        syllables[place] = random_text(8)
    end
    run = math.random(0, 999999)
end

local function text(length)
    local parts = {}
    for place = 1, length / 8 do
        parts[place] = syllables[math.random(4096)]
    end
    return table.concat(parts)
end

function request()
    asked = asked + 1
    local body = string.format(
        '{"stsAccessKey":"ASIA%02d%06d%08d","stsSecretKey":"%s","stsSessionToken":"IQoJb3JpZ2luX2Vj%s"}',
        number, run, asked, text(40), text(384))
    return wrk.format("POST", "/verify", headers, body)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"answers":%d,"seconds":%f,"refused":%d,"broken":%d,"late":%d,"p50":%d,"p99":%d}\n',
        summary.requests, summary.duration / 1e6, errors.status, errors.connect + errors.read + errors.write,
        errors.timeout, latency:percentile(50), latency:percentile(99)))
end
