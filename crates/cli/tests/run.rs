//! `shipway run` as a user sees it: exit codes, the report, the log, what is left behind.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::{Sandbox, job, statuses};

#[test]
fn a_pipeline_runs_from_file_to_result() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        r#"
stages: [build, test, deploy]
build:
  stage: build
  script: [mkdir out, echo built > out/file]
  artifacts: {paths: [out/]}
test:
  stage: test
  before_script: [export WORD=shared]
  script: [cat out/file, 'echo "$WORD TOTAL 4 0 75%"']
  after_script: ['echo "after ${WORD:-nothing} $CI_JOB_STATUS"']
  coverage: '/TOTAL.*\s+(\d+%)$/'
deploy:
  stage: deploy
  script: [echo deployed]
"#,
    )]);
    let before = sandbox.listing();
    let (done, report) = sandbox.report(&[]);
    done.exits(0)
        .says("built")
        .says("shared TOTAL")
        .says("after nothing success")
        .says("deployed")
        .says("coverage 75%");
    assert_eq!(report["status"], "success");
    assert_eq!(report["coverage"], 75.0);
    assert_eq!(
        statuses(&report),
        ["build success", "test success", "deploy success"]
    );
    assert_eq!(job(&report, "test")["exit_code"], 0);
    assert_eq!(
        job(&report, "build")["artifacts"].as_array().unwrap().len(),
        1
    );
    let log = std::fs::read_to_string(job(&report, "test")["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("section_start:"), "{log}");
    assert!(log.contains("Job succeeded"), "{log}");
    assert_eq!(sandbox.listing(), before, "jobs wrote into the work tree");
    let state = sandbox.git(&["status", "--porcelain"]);
    assert_eq!(state, "", "the state directory is not ignored");
}

#[test]
fn a_failure_stops_what_comes_after_it() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        r#"
stages: [test, deploy]
good: {script: [echo fine]}
bad: {script: [echo about to fail, exit 7]}
allowed: {script: [exit 9], allow_failure: {exit_codes: [9]}}
deploy: {stage: deploy, script: [echo must not happen]}
rescue: {stage: deploy, script: [echo rescued], when: on_failure}
"#,
    )]);
    let (done, report) = sandbox.report(&[]);
    done.exits(1)
        .says("bad failed (exit code 7)")
        .says("about to fail")
        .says("rescued")
        .silent_about("must not happen");
    assert_eq!(report["status"], "failed");
    assert_eq!(
        statuses(&report),
        [
            "good success",
            "bad failed",
            "allowed failed",
            "deploy skipped",
            "rescue success"
        ]
    );
    assert_eq!(job(&report, "bad")["failure_reason"], "script_failure");
    assert_eq!(job(&report, "bad")["exit_code"], 7);
    assert_eq!(job(&report, "allowed")["allow_failure"], true);
    let (done, report) = sandbox.report(&["--keep-going"]);
    done.exits(1).says("must not happen");
    assert_eq!(report["status"], "failed");
}

#[test]
fn a_pipeline_is_called_what_its_file_calls_it() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "workflow: {name: 'Checks for $WHO'}\nvariables: {WHO: the team}\n\
         show: {script: ['echo \"[$CI_PIPELINE_NAME]\"']}\n",
    )]);
    sandbox
        .shipway(&["run"])
        .exits(0)
        .says("Running Checks for the team of main at ")
        .says("[Checks for the team]");
}

#[test]
fn uncommitted_work_runs_and_a_commit_can_be_asked_for() {
    let sandbox = Sandbox::new(&[
        (".gitlab-ci.yml", "show: {script: [cat tracked, ls]}\n"),
        ("tracked", "committed\n"),
        (".gitignore", "ignored\n"),
    ]);
    sandbox.git(&["tag", "v1"]);
    sandbox.write("tracked", "edited\n");
    sandbox.write("new", "");
    sandbox.write("ignored", "");
    sandbox
        .shipway(&["run"])
        .exits(0)
        .says("edited")
        .says("show new")
        .silent_about("show ignored")
        .says(
            "3 files, 1 modified, 1 untracked"
                .replace("3 files", "4 files")
                .as_str(),
        );
    sandbox
        .shipway(&["run", "--committed"])
        .exits(0)
        .says("committed")
        .silent_about("show new");
    sandbox.commit("second");
    sandbox
        .shipway(&["run", "--ref", "v1"])
        .exits(0)
        .says("Running v1 at")
        .says("committed");
    sandbox
        .shipway(&["run", "--ref", "v2"])
        .exits(2)
        .says("did you mean `v1`?");
}

#[test]
fn jobs_are_chosen_by_name_with_what_they_need() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        r#"
stages: [build, test, deploy]
lib: {stage: build, script: [echo lib]}
app: {stage: build, script: [echo app]}
unit: {stage: test, script: [echo unit], needs: [lib]}
ask: {stage: test, script: [echo asked], when: manual}
ship: {stage: deploy, script: [echo ship], parallel: 2, needs: []}
"#,
    )]);
    let run = |args: &[&str]| statuses(&sandbox.report(args).1);
    assert_eq!(run(&["unit"]), ["lib success", "unit success"]);
    assert_eq!(run(&["--job", "unit", "--alone"]), ["unit success"]);
    assert_eq!(run(&["ship"]), ["ship 1/2 success", "ship 2/2 success"]);
    assert_eq!(run(&["ship 2/2"]), ["ship 2/2 success"]);
    assert_eq!(run(&["ask"]), ["lib success", "app success", "ask success"]);
    assert_eq!(
        run(&[]),
        [
            "lib success",
            "app success",
            "unit success",
            "ask manual",
            "ship 1/2 success",
            "ship 2/2 success"
        ]
    );
    sandbox
        .shipway(&["run", "unti"])
        .exits(2)
        .says("no job is called `unti`")
        .says("did you mean `unit`?");
}

#[test]
fn variables_come_from_everywhere_in_the_right_order() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        r#"
variables: {A: global, B: global, C: global, D: "$A-d", RAW: {value: "$A", expand: false}}
stages: [one, two]
first:
  stage: one
  variables: {A: job, B: job}
  script:
    - echo "A=$A B=$B C=$C D=$D E=$E RAW=$RAW"
    - echo "NEXT=from-first" > vars.env
  artifacts: {reports: {dotenv: vars.env}}
second:
  stage: two
  script: ['echo "NEXT=$NEXT source=$CI_PIPELINE_SOURCE branch=$CI_COMMIT_BRANCH"', 'env | grep -c ^SECRET_OF_TESTER || true']
"#,
    )]);
    sandbox.write("vars", "# comment\nB=file\nE=file\n");
    sandbox
        .shipway(&[
            "run",
            "--var",
            "B=line",
            "--var-file",
            "vars",
            "--source",
            "web",
        ])
        .exits(0)
        .says("A=job B=line C=global D=job-d E=file RAW=$A")
        .says("NEXT=from-first source=web branch=main");
    sandbox
        .shipway(&["run", "--var", "1BAD=x"])
        .exits(2)
        .says("cannot be the name of a variable");
    sandbox
        .shipway(&["run", "--source", "psuh"])
        .exits(2)
        .says("not a pipeline source");
}

#[test]
fn dotenv_variables_follow_needs_and_dependencies() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        r#"
stages: [one, two, three]
first:
  stage: one
  script: [echo "FIRST=one" > vars.env]
  artifacts: {reports: {dotenv: vars.env}}
second:
  stage: one
  script: [echo "SECOND=two" > vars.env]
  artifacts: {reports: {dotenv: vars.env}}
.show: {stage: two, script: ['echo "<$FIRST,$SECOND> in $CI_JOB_NAME"']}
all: {extends: .show}
dependencies: {extends: .show, dependencies: [second]}
nothing: {extends: .show, dependencies: []}
needs: {extends: .show, needs: [first]}
ordered: {extends: .show, needs: [{job: first, artifacts: false}, second]}
later: {extends: .show, stage: three}
"#,
    )]);
    sandbox
        .shipway(&["run"])
        .exits(0)
        .says("<one,two> in all")
        .says("<,two> in dependencies")
        .says("<,> in nothing")
        .says("<one,> in needs")
        .says("<,two> in ordered")
        .says("<one,two> in later");
}

#[test]
fn times_stand_in_the_log_and_not_on_the_terminal() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "test: {script: ['echo covered 64%'], coverage: '/^covered (\\d+)%$/', variables: {FF_TIMESTAMPS: 'true'}}\n",
    )]);
    let done = sandbox.shipway(&["run", "--report", "report.json"]);
    done.exits(0).says("covered 64%").silent_about("Z 01O");
    let report: serde_json::Value = serde_json::from_str(&sandbox.read("report.json")).unwrap();
    assert_eq!(report["jobs"][0]["coverage"], 64.0);
    let log = std::fs::read_to_string(report["jobs"][0]["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("Z 01O covered 64%\n"), "{log}");
}

#[test]
fn jobs_of_a_pipeline_can_share_a_workspace() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        r#"
stages: [build, test]
variables: {SHIPWAY_STICKY: pipeline}
build: {stage: build, script: [echo built > out]}
test: {stage: test, script: [cat out]}
alone: {stage: test, variables: {SHIPWAY_STICKY: none}, script: [test ! -e out]}
"#,
    )]);
    sandbox
        .shipway(&["run"])
        .exits(0)
        .says("built")
        .says("Workspace of the pipeline as job `build` left it");
}

#[test]
fn conditions_decide_about_jobs_and_say_why() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        r#"
always: {script: [echo]}
web: {script: [echo], only: [web]}
tagged: {script: [echo], only: [tags]}
ruled:
  script: [echo]
  rules:
    - {if: '$MODE == "off"', when: never}
    - {if: '$MODE'}
"#,
    )]);
    let list = |args: &[&str]| {
        let mut all = vec!["list", "--format", "json"];
        all.extend(args);
        let done = sandbox.shipway(&all);
        done.exits(0);
        let list: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        let names = |key: &str| -> Vec<String> {
            let entries = list[key].as_array().unwrap().iter();
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            entries
                .map(|entry| format!("{}: {}", text(&entry["name"]), text(&entry["reason"])))
                .collect()
        };
        (names("jobs"), names("skipped"))
    };
    let (jobs, skipped) = list(&[]);
    assert_eq!(jobs, ["always: no condition keeps it out"]);
    assert_eq!(
        skipped,
        [
            "web: `only` wants web",
            "tagged: `only` wants tags",
            "ruled: none of its 2 rules matched"
        ]
    );
    let (jobs, skipped) = list(&["--source", "web", "--var", "MODE=on"]);
    assert_eq!(
        jobs,
        [
            "always: no condition keeps it out",
            "web: `only` and `except` let it in",
            "ruled: rule 2 matched: $MODE"
        ]
    );
    assert_eq!(skipped, ["tagged: `only` wants tags"]);
    let (_, skipped) = list(&["--var", "MODE=off"]);
    assert!(skipped.contains(&r#"ruled: rule 1 says never: $MODE == "off""#.to_owned()));
    sandbox
        .shipway(&["run", "tagged"])
        .exits(2)
        .says("is not in this pipeline: `only` wants tags");
}

#[test]
fn inputs_are_given_on_the_command_line() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "spec: {inputs: {name: {default: n}, words: {type: array, default: [a]}}}\n---\n\
         $[[ inputs.name ]]: {script: $[[ inputs.words ]]}\n",
    )]);
    let given = ["--input", "name=x", "--input", "words=[\"echo of-input\"]"];
    let done = sandbox.shipway(&[&["run", "--verbose"], &given[..]].concat());
    done.exits(0).says("of-input");
    let done = sandbox.shipway(&["lint", "--input", "words=x"]);
    done.exits(1).says("provided value is not an array");
    let done = sandbox.shipway(&["list", "--input", "other=x"]);
    done.exits(2).says("unknown input arguments: other");
}

#[test]
fn what_only_a_server_has_is_given_or_told() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "deploy:
  id_tokens: {TOKEN: {aud: x}}
  secrets: {KEY: {vault: a/b@c}, PASSWORD: {vault: a/b@c, file: false}}
  script: ['test \"$(cat \"$KEY\")\" = of-file', 'echo \"[$TOKEN $PASSWORD]\"']
  release: {tag_name: 'v$MINOR', description: all new}
  variables: {MINOR: '7'}
",
    )]);
    let refused = sandbox.shipway(&["run"]);
    for text in ["`TOKEN`", "--var KEY=VALUE", "--var PASSWORD=VALUE"] {
        refused.exits(2).says(text);
    }
    let given = [
        "TOKEN=signed-by-me",
        "KEY=of-file",
        "PASSWORD=correct-horse",
    ];
    let given = given.map(|variable| ["--var", variable]).concat();
    let done = sandbox.shipway(&[&["run", "--verbose"], &given[..]].concat());
    done.exits(0).says("[[MASKED] [MASKED]]");
    done.says("would release v7 as the tag v7");
}

#[test]
fn scripts_of_run_are_steps() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "x:
  run:
    - {name: one, script: 'echo \"first [$A]\"; touch made', env: {A: \"it's $HOME\"}}
    - {name: two, script: 'echo \"then [$A]\"; test -e made; exit 3'}
    - {name: three, script: echo never}
",
    )]);
    let done = sandbox.shipway(&["run", "--verbose"]);
    done.exits(1).says("first [it's $HOME]");
    done.says("then []");
    assert!(!done.out.contains("never"), "{}", done.out);
    let steps = [(".gitlab-ci.yml", "x: {run: [{name: one, step: ./here}]}\n")];
    Sandbox::new(&steps)
        .shipway(&["run"])
        .exits(2)
        .says("uses `step` in the step `one`");
}

#[test]
fn a_failed_job_is_retried_and_its_attempts_are_counted() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "flaky: {script: ['test -e \"$COUNTER\" || { touch \"$COUNTER\"; exit 1; }'], retry: 1}\n",
    )]);
    let counter = sandbox.home().join("counter");
    let variable = format!("COUNTER={}", counter.display());
    let (done, report) = sandbox.report(&["--var", &variable]);
    done.exits(0).says("(attempt 2)");
    assert_eq!(statuses(&report), ["flaky success"]);
}

#[test]
fn tests_and_artifacts_come_back() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        r#"
test:
  script:
    - mkdir -p report/deep; echo page > report/deep/index.html
    - echo '<testsuite><testcase name="a" time="1.5"/><testcase name="b"><failure/></testcase></testsuite>' > junit.xml
  artifacts:
    name: "$CI_JOB_NAME-$CI_COMMIT_REF_SLUG"
    paths: [report/]
    exclude: [report/nothing]
    expire_in: 1 week
    reports: {junit: junit.xml}
"#,
    )]);
    let (done, report) = sandbox.report(&["--artifacts", "../taken"]);
    done.exits(0).says("1 passed, 1 failed");
    let tests = &job(&report, "test")["tests"];
    assert_eq!((&tests["total"], &tests["failed"]), (&2.into(), &1.into()));
    let artifacts = job(&report, "test")["artifacts"].to_string();
    assert!(artifacts.contains("test-main.zip"), "{artifacts}");
    assert_eq!(
        sandbox.read("../taken/test/report/deep/index.html"),
        "page\n"
    );
    assert!(sandbox.read("../taken/test/junit.xml").contains("testcase"));
}

#[test]
fn a_cache_lives_from_run_to_run() {
    let sandbox = Sandbox::new(&[
        (
            ".gitlab-ci.yml",
            r#"
build:
  script: ['cat kept/count || true', 'mkdir -p kept; echo "$CI_PIPELINE_IID" > kept/count']
  cache: {key: {files: [lock]}, paths: [kept/]}
"#,
        ),
        ("lock", "1\n"),
    ]);
    sandbox.shipway(&["run"]).exits(0).silent_about("build 1\n");
    sandbox.shipway(&["run"]).exits(0).says("build 1\n");
    sandbox.write("lock", "2\n");
    sandbox.shipway(&["run"]).exits(0).silent_about("build 2\n");
}

#[test]
fn past_runs_are_listed_shown_and_deleted() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "test: {script: [echo hello from the log]}\nlater: {stage: deploy, script: [echo], when: manual}\n",
    )]);
    sandbox
        .shipway(&["history"])
        .exits(2)
        .says("there are no past runs");
    sandbox.shipway(&["run", "--quiet"]).exits(0);
    sandbox.shipway(&["run", "--quiet"]).exits(0);
    sandbox
        .shipway(&["history"])
        .exits(0)
        .says("success")
        .says("main");
    sandbox
        .shipway(&["log", "1", "test"])
        .exits(0)
        .says("hello from the log")
        .silent_about("section_start");
    sandbox
        .shipway(&["log", "last", "test", "--raw"])
        .exits(0)
        .says("section_start");
    sandbox
        .shipway(&["log", "9", "test"])
        .exits(2)
        .says("there is no run `9`");
    sandbox
        .shipway(&["log", "1", "tset"])
        .exits(2)
        .says("its jobs are test, later");
    sandbox
        .shipway(&["log", "1", "later"])
        .exits(2)
        .says("did not run: it is manual");
    sandbox
        .shipway(&["clean", "--budget", "0"])
        .exits(0)
        .says("Deleted 2 runs");
    sandbox.shipway(&["history"]).exits(0).says("No runs yet");
}

#[test]
fn the_repository_of_a_job_is_its_own() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "git: {script: ['git log --oneline', 'git config user.email a@b; git config user.name a', \
         'git commit -q --allow-empty -m inside; git tag inside; git log --oneline -1']}\n",
    )]);
    let before = sandbox.git(&["for-each-ref"]);
    sandbox
        .shipway(&["run"])
        .exits(0)
        .says("first")
        .says("inside");
    assert_eq!(sandbox.git(&["for-each-ref"]), before);
}

#[test]
fn a_project_may_be_a_directory_of_a_repository() {
    let sandbox = Sandbox::new(&[
        ("top", ""),
        (
            "apps/one/.gitlab-ci.yml",
            "where: {script: [ls, 'echo \"$CI_PROJECT_NAME\"']}\n",
        ),
        ("apps/one/src/x", ""),
    ]);
    for arguments in [["run", "-C", "apps/one"], ["run", "-C", "apps/one/src"]] {
        sandbox
            .shipway(&arguments)
            .exits(0)
            .says("where src")
            .says("where one")
            .silent_about("where top");
    }
    sandbox
        .shipway(&["run"])
        .exits(2)
        .says("there is no .gitlab-ci.yml");
}
