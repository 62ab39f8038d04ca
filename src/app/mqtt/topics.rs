//! Which topics a filter means (§4.7).

/// Whether `filter` means `topic`: `+` stands for one level, `#` for all that follow and the level before them; neither for a
/// first level that begins with `$` (§4.7.2).
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut topic = topic.split('/');
    for level in filter.split('/') {
        match (level, topic.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (level, Some(actual)) if level == actual => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_mean_what_the_standard_s_examples_say() {
        let table = [
            ("users/created", "users/created", true),
            ("users/created", "users/Created", false),
            ("users/#", "users", true),
            ("users/#", "users/created/eu", true),
            ("users/+", "users/created", true),
            ("users/+", "users/created/eu", false),
            ("users/+", "users", false),
            ("+", "/users", false),
            ("/+", "/users", true),
            ("+/+", "/users", true),
            ("#", "users/created", true),
            ("#", "$SYS/uptime", false),
            ("+/uptime", "$SYS/uptime", false),
            ("$SYS/#", "$SYS/uptime", true),
            ("users", "users/created", false),
        ];
        for (filter, topic, expected) in table {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }
}
