import Foundation

/// A JSON value, asked the way a client asks: what is not there, or of another type, throws.
struct JSON {
    private let value: Any

    private init(value: Any) { self.value = value }

    init(_ bytes: [UInt8]) throws {
        do {
            value = try JSONSerialization.jsonObject(
                with: Data(bytes), options: [.fragmentsAllowed])
        } catch {
            throw Failure("not JSON: \(String(decoding: bytes.prefix(300), as: UTF8.self))")
        }
    }

    subscript(_ key: String) -> JSON {
        get throws {
            guard let member = try members[key] else { throw Failure("no \(key) in \(value)") }
            return JSON(value: member)
        }
    }

    subscript(_ index: Int) -> JSON {
        get throws {
            let list = try list
            guard list.indices.contains(index) else { throw Failure("no \(index). in \(value)") }
            return list[index]
        }
    }

    var isNull: Bool { value is NSNull }

    var keys: [String] { get throws { try members.keys.sorted() } }

    func has(_ key: String) throws -> Bool { try members[key] != nil }

    var list: [JSON] {
        get throws {
            guard let list = value as? [Any] else { throw Failure("no array: \(value)") }
            return list.map { JSON(value: $0) }
        }
    }

    var string: String {
        get throws {
            guard let text = value as? String else { throw Failure("no string: \(value)") }
            return text
        }
    }

    var int: Int {
        get throws {
            guard let number = value as? NSNumber, let int = number as? Int else {
                throw Failure("no whole number: \(value)")
            }
            return int
        }
    }

    private var members: [String: Any] {
        get throws {
            guard let members = value as? [String: Any] else {
                throw Failure("no object: \(value)")
            }
            return members
        }
    }
}

extension JSON {
    /// Of `{"instances":{zone:[…]}}`: the hostnames, in their order, zones by name.
    var hostnames: [String] {
        get throws {
            let zones = try self["instances"]
            return try zones.keys.flatMap { zone in
                try zones[zone].list.map { try $0["hostname"].string }
            }
        }
    }
}
