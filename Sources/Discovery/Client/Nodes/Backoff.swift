/// How long to wait before the next try: twice as long each time, up to a maximum, and a random
/// half of it, so that clients that failed together do not come back together.
struct Backoff {
    private static let shortest = Duration.milliseconds(100)
    private static let longest = Duration.seconds(10)

    private var next = Backoff.shortest

    mutating func pause(using random: inout some RandomNumberGenerator) -> Duration {
        defer { next = min(next * 2, Backoff.longest) }
        return next * Double.random(in: 0.5...1, using: &random)
    }

    mutating func reset() { next = Backoff.shortest }
}
