import Foundation

/// A folder that goes with the last one who holds it.
final class TemporaryFolder {
    let url: URL

    var path: String { url.path }

    init() throws {
        url = FileManager.default.temporaryDirectory
            .appendingPathComponent("discovery-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        do {
            try FileManager.default.removeItem(at: url)
        } catch {
            print("\(url.path) stays behind: \(error)")
        }
    }

    func path(of name: String) -> String { url.appendingPathComponent(name).path }

    /// At once: whoever reads it sees the old text or the new one.
    func write(_ name: String, _ text: String) throws {
        try text.write(to: url.appendingPathComponent(name), atomically: true, encoding: .utf8)
    }

    /// Empty if there is no such file.
    func text(_ name: String) -> String {
        FileManager.default.contents(atPath: path(of: name)).map {
            String(decoding: $0, as: UTF8.self)
        } ?? ""
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(at: url.appendingPathComponent(name))
    }
}
