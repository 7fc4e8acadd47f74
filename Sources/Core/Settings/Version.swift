/// The version all three processes report; it changes together with CHANGELOG.md.
package enum Version {
    package static let current = "0.1.0"
}
