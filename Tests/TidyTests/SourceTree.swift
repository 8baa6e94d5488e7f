import Foundation

/// A file of the repository, as the rules look at it.
struct SourceFile: Sendable {
    /// Relative to the root of the package.
    var path: String
    var lines: [String]
    /// The lines without comments and without what stands in string literals. Only for Swift.
    var code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        code = path.hasSuffix(".swift") ? CodeView.lines(of: text) : []
    }

    var isSwift: Bool { path.hasSuffix(".swift") }
    var name: String { path.split(separator: "/").last.map(String.init) ?? path }
    var folder: String { path.split(separator: "/").dropLast().joined(separator: "/") }

    func isUnder(_ folder: String) -> Bool { path.hasPrefix(folder + "/") }
}

/// All files that somebody wrote: what Git would take.
enum SourceTree {
    /// Found from where this file is.
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private static let folders = ["Sources", "Tests", "bench", "config", "docs", "examples", ".ci"]
    private static let binaries: Set<String> = ["bin", "gz", "png", "zip"]

    /// Every file, ordered by path; read once for all rules.
    static func files() throws -> [SourceFile] { try cached.get() }

    private static let cached = Result { try read() }

    private static func read() throws -> [SourceFile] {
        let top = try FileManager.default.contentsOfDirectory(atPath: root.path)
        var paths = top.filter { name in
            [".swift", ".md", "Makefile"].contains { name.hasSuffix($0) }
        }
        for folder in folders {
            let url = root.appending(path: folder)
            guard FileManager.default.fileExists(atPath: url.path) else { continue }
            for path in try FileManager.default.subpathsOfDirectory(atPath: url.path) {
                let full = url.appending(path: path)
                let isFile = try full.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile
                let isHidden = path.split(separator: "/").contains { $0.hasPrefix(".") }
                guard isFile == true, !isHidden, !binaries.contains(full.pathExtension)
                else { continue }
                paths.append("\(folder)/\(path)")
            }
        }
        return try paths.sorted().map { path in
            let data = try Data(contentsOf: root.appending(path: path))
            return SourceFile(path: path, text: String(decoding: data, as: UTF8.self))
        }
    }
}
