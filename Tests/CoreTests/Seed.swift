import DiscoveryCore
import Glibc

/// The seed of a random test: from the environment, or drawn anew. Printed with every failure.
struct Seed: CustomStringConvertible {
    let value: UInt64
    let variable: String

    init(_ variable: String) {
        self.variable = variable
        if let text = unsafe getenv(variable), let value = unsafe UInt64(String(cString: text)) {
            self.value = value
        } else {
            value = UInt64.random(in: 0..<UInt64.max)
        }
    }

    var generator: SplitMix64 { SplitMix64(seed: value) }
    var description: String { "\(variable)=\(value)" }
}
