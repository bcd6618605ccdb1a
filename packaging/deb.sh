# shellcheck shell=bash
# Debian packages of what was staged. Part of packaging/build.sh.

make_debs() {
    local folder=$output/debian-build major package
    rm -rf "$folder"
    mkdir -p "$folder"
    cp -a "$packaging/debian" "$folder/debian"
    mv "$stage" "$folder/stage"
    # A development version comes before its release: 0.3.0~dev.
    cat >"$folder/debian/changelog" <<EOF
signal-hub (${version/-/\~}) unstable; urgency=medium

  * See /usr/share/doc/$(binary_of "${majors[0]}")/CHANGELOG.md.gz

 -- signal_hub contributors <signal_hub@localhost>  $(date -R -r "$sources/CHANGELOG.md")
EOF
    cp "$sources/LICENSE" "$folder/debian/copyright"
    cp "$sources/CHANGELOG.md" "$folder/"
    for major in "${majors[@]}"; do
        package=$(binary_of "$major")
        sed "s/@MAJOR@/$major/g" "$packaging/debian/extension.in" >>"$folder/debian/control"
        echo "stage/$major/usr /" >"$folder/debian/$package.install"
        echo CHANGELOG.md >"$folder/debian/$package.docs"
    done
    rm "$folder/debian/extension.in"
    if [[ -n $service ]]; then
        cat "$folder/debian/service.in" >>"$folder/debian/control"
        printf 'stage/live/usr /\nstage/live/etc /\n' >"$folder/debian/signal-hub-live.install"
    fi
    rm "$folder/debian/service.in"
    (cd "$folder" && DEB_BUILD_OPTIONS="noautodbgsym nocheck" dpkg-buildpackage --build=binary --no-sign --no-check-builddeps)
    rm -rf "$folder" "$output"/*.buildinfo "$output"/*.changes
}

binary_of() { echo "postgresql-$1-signal-hub"; }
