//! Which types of artifacts there are, and how each is packed (runner protocol, D.3).

use shipway_protocol::ArtifactFormat;

const ZIP: &[&str] = &["archive", "lsif", "scip"];

const GZIP: &[&str] = &[
    "junit",
    "metrics",
    "metrics_referee",
    "network_referee",
    "dotenv",
    "cobertura",
    "jacoco",
    "cluster_applications",
    "cyclonedx",
    "annotations",
    "repository_xray",
];

const RAW: &[&str] = &[
    "sast",
    "secret_detection",
    "dependency_scanning",
    "container_scanning",
    "cluster_image_scanning",
    "dast",
    "license_scanning",
    "accessibility",
    "codequality",
    "performance",
    "browser_performance",
    "load_performance",
    "terraform",
    "requirements",
    "requirements_v2",
    "coverage_fuzzing",
    "api_fuzzing",
    "sarif",
];

/// How artifacts of a type are packed; none for what is no type, or none of a runner's.
pub(super) fn format_of(kind: &str) -> Option<ArtifactFormat> {
    let of = |kinds: &[&str], format| kinds.contains(&kind).then_some(format);
    of(ZIP, ArtifactFormat::Zip)
        .or(of(GZIP, ArtifactFormat::Gzip))
        .or(of(RAW, ArtifactFormat::Raw))
}

/// What a runner calls a format; nothing is zip. The other forms of archives are not read here.
pub(super) fn format_named(name: &str) -> Option<ArtifactFormat> {
    match name {
        "" | "zip" => Some(ArtifactFormat::Zip),
        "gzip" => Some(ArtifactFormat::Gzip),
        "raw" => Some(ArtifactFormat::Raw),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_one_format() {
        let mut all = [ZIP, GZIP, RAW].concat();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(format_of("junit"), Some(ArtifactFormat::Gzip));
        assert_eq!(format_of("trace"), None);
        assert_eq!(format_of("metadata"), None);
        assert_eq!(format_named("tarzstd"), None);
    }
}
