import Testing

@testable import Discovery

@Suite struct PrometheusTextTests {
    @Test func `families are named once and everything has its order`() {
        var metrics = PrometheusText()
        metrics.gauge("discovery_waiters", help: "Held polls.", -3)
        metrics.counter(
            "discovery_requests_total", help: "Requests by route.", labels: ["route": "renew"], 7)
        metrics.counter(
            "discovery_requests_total", help: "Requests by route.", labels: ["route": "fetch"],
            .max)
        metrics.gauge(
            "discovery_info", help: "A \\ and\na line.", labels: ["a": "\"\\\n", "b": "ä"], 1)
        #expect(
            metrics.text == #"""
                # HELP discovery_info A \\ and\na line.
                # TYPE discovery_info gauge
                discovery_info{a="\"\\\n",b="ä"} 1
                # HELP discovery_requests_total Requests by route.
                # TYPE discovery_requests_total counter
                discovery_requests_total{route="fetch"} 18446744073709551615
                discovery_requests_total{route="renew"} 7
                # HELP discovery_waiters Held polls.
                # TYPE discovery_waiters gauge
                discovery_waiters -3

                """#)
    }

    @Test func `latencies are cumulative buckets in seconds`() {
        var histogram = LatencyHistogram()
        histogram.record(nanoseconds: 15_000)
        histogram.record(nanoseconds: 1_500_000_000)
        histogram.record(nanoseconds: 90_000_000_000)
        var metrics = PrometheusText()
        metrics.histogram("latency_seconds", help: "H.", labels: ["route": "poll"], histogram)
        let lines = metrics.text.split(separator: "\n")
        #expect(lines.count == 2 + 23 + 1 + 2)
        #expect(lines[2] == #"latency_seconds_bucket{route="poll",le="0.00001"} 0"#)
        #expect(lines[3] == #"latency_seconds_bucket{route="poll",le="0.00002"} 1"#)
        #expect(lines[24] == #"latency_seconds_bucket{route="poll",le="41.94304"} 2"#)
        #expect(lines[25] == #"latency_seconds_bucket{route="poll",le="+Inf"} 3"#)
        #expect(lines[26] == #"latency_seconds_sum{route="poll"} 91.500015"#)
        #expect(lines[27] == #"latency_seconds_count{route="poll"} 3"#)

        var bare = PrometheusText()
        bare.histogram("l_seconds", help: "H.", LatencyHistogram())
        #expect(bare.text.contains("l_seconds_bucket{le=\"0.00001\"} 0\n"))
        #expect(bare.text.hasSuffix("l_seconds_sum 0\nl_seconds_count 0\n"))
    }

    @Test(
        arguments: [
            (0, "0"), (1, "0.000000001"), (10_000, "0.00001"), (1_000_000_000, "1"),
            (1_500_000_000, "1.5"), (UInt64.max, "18446744073.709551615"),
        ] as [(UInt64, String)])
    func `nanoseconds are written as seconds without loss`(_ row: (UInt64, String)) {
        #expect(PrometheusText.seconds(row.0) == row.1)
    }

    @Test func `a name that Prometheus refuses is a mistake of ours`() async {
        await #expect(processExitsWith: .failure) {
            var metrics = PrometheusText()
            metrics.gauge("9lives", help: "", 1)
        }
        await #expect(processExitsWith: .failure) {
            var metrics = PrometheusText()
            metrics.gauge("a", help: "", 1)
            metrics.counter("a", help: "", 1)
        }
    }
}

@Suite struct LatencyHistogramTests {
    /// The bucket of a time by looking at every bound.
    private func bucketByTrial(_ nanoseconds: UInt64) -> Int {
        var index = 0
        while index < LatencyHistogram.boundsCount,
            nanoseconds > LatencyHistogram.firstBoundNanoseconds << UInt64(index)
        {
            index += 1
        }
        return index
    }

    @Test func `every time falls into the bucket that a search would find`() {
        var times: [Int64] = [0, 1, .max]
        for index in 0..<LatencyHistogram.boundsCount {
            let bound = Int64(LatencyHistogram.firstBoundNanoseconds << UInt64(index))
            times += [bound - 1, bound, bound + 1]
        }
        for time in times {
            var histogram = LatencyHistogram()
            histogram.record(nanoseconds: time)
            let firstFull = histogram.cumulative.firstIndex { $0.count == 1 }
            #expect(firstFull ?? LatencyHistogram.boundsCount == bucketByTrial(UInt64(time)))
        }
    }

    @Test func `histograms of several threads add up`() {
        var first = LatencyHistogram()
        var second = LatencyHistogram()
        first.record(nanoseconds: 5)
        second.record(nanoseconds: 20_001)
        second.record(nanoseconds: -1)
        first.merge(second)
        #expect(first.count == 3)
        #expect(first.sumNanoseconds == 20_006)
        #expect(first.cumulative[0].count == 2)
        #expect(first.cumulative[1].count == 2)
        #expect(first.cumulative[2].count == 3)
    }

    @Test func `a sum that is full stays full`() {
        var histogram = LatencyHistogram()
        for _ in 0..<3 { histogram.record(nanoseconds: .max) }
        #expect(histogram.sumNanoseconds == .max)
        var other = histogram
        other.merge(histogram)
        #expect(other.sumNanoseconds == .max)
        #expect(other.count == 6)
    }
}
